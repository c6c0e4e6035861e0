"""A loaded model looks at scenes and answers questions about marked regions."""
