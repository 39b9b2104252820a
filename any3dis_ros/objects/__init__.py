"""What came out: instances, their evaluation and what a person looks at."""
