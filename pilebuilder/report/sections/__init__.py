"""The sections of a report: each module turns `Facts` into one `Section` of tables and figures."""
