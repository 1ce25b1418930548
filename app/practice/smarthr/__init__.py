"""The practice company's SmartHR, spoken to over HTTP."""
