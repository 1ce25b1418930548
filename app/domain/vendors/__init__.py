"""What the vendors do not document and Awase therefore assumes, how Awase asks freee's token endpoint, and what a
vendor said to a request that it refused."""
