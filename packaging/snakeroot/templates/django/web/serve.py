"""Bring the database up to date, and serve the project."""

import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from waitress import serve

PORT = int(os.environ.get("PORT", "8000"))

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    application = get_wsgi_application()
    call_command("migrate", interactive=False, verbosity=0)
    print(f"web: listening on port {PORT}")
    serve(application, host="0.0.0.0", port=PORT, ident=None)
