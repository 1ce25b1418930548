"""The practice company's freee人事労務, spoken to over HTTP."""
