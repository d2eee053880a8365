"""Code lists as tables: `code,name_zh,name_en,valid_from,valid_to`; a later line of a code is another accepted word."""
