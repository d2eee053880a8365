"""One module per way agencies hand over data. Each translates the errors of its library, once."""
