"""Many files: jobs, the table of their results, and what does them: processes here, or a Dask cluster."""
