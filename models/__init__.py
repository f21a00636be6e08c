"""What a stack may say, checked once at the edge, and the catalogue of facts behind it."""
