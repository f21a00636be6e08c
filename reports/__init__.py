"""A plan for people and programs: tables, JSON, Markdown, picture, difference, command line."""
