-- PostgreSQL only, run before the migrations: text that compares byte by byte, as SQLite's does.
CREATE DOMAIN key_text AS TEXT COLLATE "C";
