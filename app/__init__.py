"""Awase keeps employee records equal between SmartHR and freee人事労務.

This module holds nothing but the version, because importing the domain must not load a framework.
"""

__version__ = "0.1.0"
