"""Awase keeps employee records equal between SmartHR and freee人事労務.

This module is empty on purpose, because importing the domain must not load a framework.
"""
