"""C# 7 expressions of policies: parser, types, binder, code generation; a library that knows nothing of ours."""
