"""A network as a causal graph, evaluated in parallel or pixel by pixel."""
