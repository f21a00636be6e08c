"""One model on one GPU tier: numbers, context, parallelism, batching and memory."""
