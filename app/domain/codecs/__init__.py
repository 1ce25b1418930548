"""Conversions between a vendor's values and one plain form; each row of the mapping names its codec."""
