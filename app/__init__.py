"""Awase keeps employee records equal between SmartHR and freee人事労務.

Empty on purpose: importing the domain must not load a framework.
"""
