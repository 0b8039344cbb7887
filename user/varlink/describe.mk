# SPDX-License-Identifier: GPL-2.0-only
# An interface is described in a text of its own, INTERFACE.varlink, from which a program has it:
#
#	include .../user/varlink/describe.mk
#	$(OBJ)/%.varlink.c: %.varlink
#		$(call varlink_describe,$<,$@)
#
# defines "const char INTERFACE_varlink[]" with the text in it, each "." an "_".

varlink_quote := s/\\/\\\\/g; s/"/\\"/g; s/^/\t"/; s/$$/\\n"/
define varlink_describe
{ echo '/* Made from $(notdir $(1)). */'; \
	echo 'extern const char $(subst .,_,$(notdir $(1)))[];'; \
	echo 'const char $(subst .,_,$(notdir $(1)))[] ='; \
	sed '$(varlink_quote)' $(1); echo ';'; } >$(2).tmp && mv $(2).tmp $(2)
endef
