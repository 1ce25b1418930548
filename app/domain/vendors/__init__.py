"""What the vendors do not document and Awase therefore assumes, and how Awase asks freee's token endpoint."""
