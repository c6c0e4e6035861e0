"""The HTTP server: scenes come in, questions are queued for one model, words and masks go out.

Settings come from the environment alone, the model from whoever starts the app; `app.create_app` ties all together.
"""
