"""Public layouts of labelled head CT, turned into what `strokediff prepare` takes.

`registry` knows the layouts by name, `survey` looks at one without writing, `convert` writes it.
"""
