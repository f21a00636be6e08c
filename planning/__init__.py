"""Pure decisions: from what a stack says to a `Plan` of what will be deployed."""
