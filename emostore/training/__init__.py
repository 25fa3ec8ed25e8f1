"""How the bundled model was made: read the corpus, degrade it, train, evaluate. Nothing here serves."""
