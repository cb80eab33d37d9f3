"""A view as one HTML document that asks nobody for anything."""
