"""What an agent is: definition, dialects, registry, generation."""
