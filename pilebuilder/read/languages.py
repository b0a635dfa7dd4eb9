"""Programming and markup languages by file name, in the manner of linguist's table; names as GitHub shows them."""

from __future__ import annotations

import functools

_EXTENSIONS = """
Ada: adb ads | Agda: agda | Assembly: asm s nasm | Astro: astro | AutoHotkey: ahk | Awk: awk | Batchfile: bat
cmd | BibTeX: bib | Bicep: bicep | C: c h | C#: cs csx | C++: cc cpp cxx c++ hpp hh hxx h++ ipp tpp inl | CMake:
cmake | COBOL: cob cbl cpy | CSS: css | Chapel: chpl | Clojure: clj cljs cljc edn | CoffeeScript: coffee |
Common Lisp: lisp lsp cl | Coq: v.coq | Crystal: cr | Cuda: cu cuh | Cython: pyx pxd pxi | D: d | Dart: dart |
Dhall: dhall | Dockerfile: dockerfile | Elixir: ex exs | Elm: elm | Emacs Lisp: el | Erlang: erl hrl | F#: fs
fsi fsx | Fennel: fnl | Forth: fth 4th | Fortran: f f77 f90 f95 f03 f08 for ftn | GDScript: gd | GLSL: glsl vert
frag geom comp | GraphQL: graphql gql | Go: go | Groovy: groovy gradle gvy | HCL: hcl tf tfvars | HLSL: hlsl |
HTML: html htm xhtml | Handlebars: hbs handlebars | Haskell: hs lhs | Haxe: hx | INI: ini cfg conf properties |
Idris: idr | Java: java | JavaScript: js mjs cjs jsx | JSON: json json5 jsonc | Jinja: jinja j2 jinja2 | Julia:
jl | Jupyter Notebook: ipynb | Kotlin: kt kts | LLVM: ll | Lean: lean | Less: less | Liquid: liquid | Lua: lua |
M4: m4 | MATLAB: matlab | Makefile: mk mak | Markdown: md markdown mdx | Mathematica: wl nb | Mercury: mercury |
Meson: meson | Metal: metal | Modula-2: mod | Mustache: mustache | NASL: nasl | Nim: nim nims | Nix: nix |
OCaml: ml mli mll mly | Objective-C: m | Objective-C++: mm | OpenCL: opencl | OpenSCAD: scad | Org: org | PHP:
php phtml php5 | PLSQL: pls plsql pkb pks | Pascal: pas dpr pp lpr | Perl: pl pm pod | PostScript: ps eps |
PowerShell: ps1 psm1 psd1 | Processing: pde | Prolog: pro prolog | Protocol Buffer: proto | Puppet: puppet |
PureScript: purs | Python: py pyi pyw py3 | QML: qml | R: r | RMarkdown: rmd | Racket: rkt | Raku: raku rakumod
| ReStructuredText: rst | ReasonML: re rei | Rebol: reb | Roff: man 1 2 3 4 5 6 7 8 | Ruby: rb rake gemspec ru |
Rust: rs | SAS: sas | SCSS: scss | SQL: sql | Sass: sass | Scala: scala sc sbt | Scheme: scm ss sld | Shell: sh
bash zsh ksh | Smalltalk: st | Solidity: sol | Standard ML: sml sig fun | Starlark: bzl star | Stata: do ado |
Stylus: styl | Svelte: svelte | Swift: swift | SystemVerilog: sv svh | TOML: toml | Tcl: tcl tk | TeX: tex sty
cls ltx dtx ins | Text: txt | Thrift: thrift | TypeScript: ts tsx mts cts | VHDL: vhd vhdl | Vala: vala vapi |
Verilog: v vh | Vim Script: vim | Visual Basic .NET: vb vbs | Vue: vue | WebAssembly: wat wast | XML: xml xsd
xsl xslt | XQuery: xq xquery | YAML: yml yaml | Yacc: y yy | Zig: zig | diff: diff patch | fish: fish |
reStructuredText: rest
"""
_NAMES = {
    "makefile": "Makefile", "gnumakefile": "Makefile", "dockerfile": "Dockerfile", "containerfile": "Dockerfile",
    "cmakelists.txt": "CMake", "rakefile": "Ruby", "gemfile": "Ruby", "vagrantfile": "Ruby", "podfile": "Ruby",
    "build": "Starlark", "build.bazel": "Starlark", "workspace": "Starlark", "jenkinsfile": "Groovy",
    "meson.build": "Meson", "sconstruct": "Python", "sconscript": "Python", "wscript": "Python", "configure": "Shell",
    ".bashrc": "Shell", ".profile": "Shell", ".zshrc": "Shell", ".vimrc": "Vim Script", ".emacs": "Emacs Lisp",
    "readme": "Text", "changelog": "Text", "news": "Text", "authors": "Text", "todo": "Text", "install": "Text",
}  # fmt: skip
_INTERPRETERS = {
    "python": "Python", "python2": "Python", "python3": "Python", "sh": "Shell", "bash": "Shell", "zsh": "Shell",
    "perl": "Perl", "ruby": "Ruby", "node": "JavaScript", "php": "PHP", "lua": "Lua", "tclsh": "Tcl", "awk": "Awk",
    "Rscript": "R", "escript": "Erlang", "guile": "Scheme", "groovy": "Groovy", "fish": "fish", "pwsh": "PowerShell",
}  # fmt: skip


@functools.cache
def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in " ".join(_EXTENSIONS.split()).split("|"):
        name, _, extensions = entry.partition(":")
        for extension in extensions.split():
            table.setdefault(extension, name.strip())
    return table


def language_of(name: str, first_line: str = "") -> str | None:
    """The language of a file by its name, else by the interpreter that its first line names.

    >>> language_of("src/a.rs"), language_of("Makefile"), language_of("run", "#!/usr/bin/env python3")
    ('Rust', 'Makefile', 'Python')
    """
    base = name.rpartition("/")[2].lower()
    if base in _NAMES:
        return _NAMES[base]
    found = _table().get(base.rpartition(".")[2]) if "." in base else None
    if found or not first_line.startswith("#!"):
        return found
    words = first_line[2:].replace("/", " ").split()
    return next((_INTERPRETERS[w] for w in reversed(words) if w in _INTERPRETERS), None)
