"""Which pool each model runs on."""
