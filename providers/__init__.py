"""Speaking to providers: what a completion is, wire dialects, the catalogue, the HTTP client, the simulator."""
