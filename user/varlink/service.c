// SPDX-License-Identifier: GPL-2.0-only
/* org.varlink.service, and which interfaces there are. */
#include <string.h>

#include "internal.h"

extern const char org_varlink_service_varlink[];

const struct varlink_interface *interface_find(const struct varlink_server *s, const char *name,
					       size_t len)
{
	const struct varlink_interface *const *i = s->attr.interfaces, *service = &varlink_service;

	if (!strncmp(service->name, name, len) && !service->name[len])
		return service;
	while (i && *i && (strncmp((*i)->name, name, len) || (*i)->name[len]))
		i++;
	return i ? *i : NULL;
}

static void get_info(struct varlink_call *call, json_t *params, void *arg)
{
	const struct varlink_server_attr *a = &call->conn->server->attr;
	const struct varlink_interface *const *i;
	json_t *names = json_pack("[s]", varlink_service.name);

	(void)params;
	(void)arg;
	for (i = a->interfaces; names && i && *i; i++) {
		if (json_array_append_new(names, json_string((*i)->name))) {
			json_decref(names);
			names = NULL;
		}
	}
	varlink_reply(call, json_pack("{ss ss ss ss so}", "vendor", a->vendor ? a->vendor : "",
				      "product", a->product ? a->product : "",
				      "version", a->version ? a->version : "",
				      "url", a->url ? a->url : "", "interfaces", names));
}

static void get_description(struct varlink_call *call, json_t *params, void *arg)
{
	const char *name = json_string_value(json_object_get(params, "interface"));
	const struct varlink_interface *i = interface_find(call->conn->server, name, strlen(name));

	(void)arg;
	if (!i)
		varlink_error(call, VARLINK_NO_INTERFACE, json_pack("{ss}", "interface", name));
	else
		varlink_reply(call, json_pack("{ss}", "description", i->description));
}

static const struct varlink_param of_description[] = {
	{ "interface", VARLINK_STRING, false }, { 0 }
};

static const struct varlink_method methods[] = {
	{ "GetInfo", get_info, NULL, 0 },
	{ "GetInterfaceDescription", get_description, of_description, 0 },
	{ 0 }
};

const struct varlink_interface varlink_service = {
	"org.varlink.service", org_varlink_service_varlink, methods
};
