"""Another allocation policy over the orders that really came: nothing is written anywhere."""
