"""What the vendors do not document and we assume, and how freee's token endpoint is asked."""
