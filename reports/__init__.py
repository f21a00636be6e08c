"""A plan told to people and programs: tables, JSON, Markdown, pictures, differences."""
