"""What the vendors do not document and Awase therefore assumes, how often a vendor may be asked and how freee's token
endpoint is, and what a vendor said to a request that it refused."""
