"""Renderers: a view as text for a terminal, as a page, as tables, as drawings."""
