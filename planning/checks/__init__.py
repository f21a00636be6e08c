"""What works badly or not at all."""
