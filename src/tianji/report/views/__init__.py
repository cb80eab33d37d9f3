"""Views: what is shown of a document, as sections of tables, facts and charts; nothing is drawn here."""
