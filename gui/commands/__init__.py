"""Commands: UI actions as data, from which menus, shortcuts, palette and help are built."""
