"""Reports: tables for people, JSON documents for programs."""
