"""Small tools without any knowledge of studies, spaces or networks."""
