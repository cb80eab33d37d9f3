"""What a framework's release refuses or runs otherwise: tables of rules, each read in its source at a named commit."""
