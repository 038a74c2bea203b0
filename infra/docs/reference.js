// Shows the API document. A file of its own, because the page allows no inline script.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  // The default asks a server of Swagger whether the document is valid.
  validatorUrl: null,
});
