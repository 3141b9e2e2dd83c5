"""Python imports a module of this name as it starts: processes of a test keep to its markers, too."""

import compiler_refusal

compiler_refusal.install()
