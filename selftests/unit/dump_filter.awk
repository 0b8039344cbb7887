# SPDX-License-Identifier: GPL-2.0-only
# Of what systemd-analyze verify prints in debug mode: what dump_helper prints, in its form.
function out(text)
{
	print unit "\t" text
}

/^\t-> Unit / {
	unit = $3
	sub(/:$/, "", unit)
	section = ""
	tty = ""
	next
}

/^\t\t-> / {
	section = $2
	sub(/:$/, "", section)
	next
}

unit == "" || !/^\t\t/ { next }

/^\t\t\tCommand Line: / {
	sub(/^\t*Command Line: /, "")
	out(section ": " $0)
	next
}

{ sub(/^\t\t/, ""); label = $0; sub(/: .*/, "", label); value = substr($0, length(label) + 3) }

# Dependencies: those of the file, and not what follows from other keys.
label ~ /^(Requires|Requisite|Wants|BindsTo|PartOf|Upholds|Conflicts|Before|After|OnFailure|OnSuccess|PropagatesReloadTo|ReloadPropagatedFrom|PropagatesStopTo|StopPropagatedFrom|Triggers)$/ {
	name = value
	sub(/ .*/, "", name)
	if (name ~ /\.(slice|mount|device)$/ ||
	    name ~ /^(systemd-journald.socket|dbus.socket|systemd-vconsole-setup.service|systemd-tmpfiles-setup.service|systemd-remount-fs.service)$/)
		next
	if (value ~ /origin-file/ || label == "Triggers")
		out(label ": " name)
	next
}

label ~ /^(Condition|Assert)/ { out($0); next }

label ~ /^Standard(Input|Output|Error)$/ {
	# What there is by default is another thing in PID 1.
	sub(/^(journal|kmsg)/, "log", value)
	if (value == "log")
		value = "inherit"
	out(label ": " value)
	next
}

# These take away some.
label ~ /^(PrivateDevices|ProtectKernelModules|ProtectKernelLogs|ProtectClock)$/ && value == "yes" {
	out("!capabilities")
	next
}

label == "NonBlocking" && unit ~ /socket$/ { next }

label ~ /^(CapabilityBoundingSet|AmbientCapabilities)$/ {
	nr = split(toupper(value), caps, " ")
	for (i = 1; i <= nr; i++)
		out(label ": " caps[i])
	next
}

label == "Secure Bits" {
	nr = split(value, bits, " ")
	for (i = 1; i <= nr; i++)
		out("Secure Bit: " bits[i])
	next
}

label == "SupplementaryGroups" {
	nr = split(value, groups, " ")
	for (i = 1; i <= nr; i++)
		out("SupplementaryGroup: " groups[i])
	next
}

label == "CPUAffinity" {
	nr = split(value, ranges, " ")
	for (i = 1; i <= nr; i++) {
		split(ranges[i], ends, "-")
		last = ends[2] == "" || ranges[i] !~ /-/ ? ends[1] : ends[2]
		for (cpu = ends[1] + 0; cpu <= last + 0; cpu++)
			out("CPU: " cpu)
	}
	next
}

label ~ /^TTY/ {
	if (label == "TTYPath")
		tty = value
	if (tty != "/dev/console" && label !~ /Rows|Columns/)
		out($0)
	next
}

label == "SocketGroup" && value == "n/a" { next }

label ~ /^Listen/ { sub(/^\[::\]:/, "", value); $0 = label ": " value; gsub(/\\\\/, "\\"); out($0); next }

label ~ /^(Description|Instance|Documentation|Failure Action|Success Action|Job Timeout|Job Timeout Action|StopWhenUnneeded|RefuseManualStart|RefuseManualStop|DefaultDependencies|OnSuccessJobMode|OnFailureJobMode|IgnoreOnIsolate|PermissionsStartOnly|RootDirectoryStartOnly|RemainAfterExit|GuessMainPID|Type|Restart|NotifyAccess|PIDFile|BusName|RestartSec|TimeoutStartSec|TimeoutStopSec|TimeoutStartFailureMode|TimeoutStopFailureMode|RuntimeMaxSec|RuntimeRandomizedExtraSec|WatchdogSec|NonBlocking|File Descriptor Store Max|KillMode|KillSignal|RestartKillSignal|FinalKillSignal|SendSIGKILL|SendSIGHUP|UMask|WorkingDirectory|RootDirectory|IgnoreSIGPIPE|Environment|PassEnvironment|UnsetEnvironment|EnvironmentFile|(Runtime|State|Cache|Logs|Configuration)Directory(Mode|Symlink)?|RuntimeDirectoryPreserve|Nice|OOMScoreAdjust|CoredumpFilter|IOSchedulingClass|IOPriority|CPUSchedulingPolicy|TimerSlackNSec|Limit.*|Standard(Input|Output|Error)File(ToAppend|ToTruncate)?|User|Group|DynamicUser|Unit|Persistent|WakeSystem|Accuracy|RemainAfterElapse|FixedRandomDelay|OnClockChange|OnTimeZoneChange|OnCalendar|On(Active|Boot|Startup|UnitActive|UnitInactive)Sec|BindIPv6Only|SocketMode|DirectoryMode|KeepAlive|NoDelay|FreeBind|Transparent|Broadcast|PassCredentials|PassSecurity|PassPacketInfo|TCPCongestion|RemoveOnStop|Writable|FlushPending|BindToDevice|Priority|IPTOS|IPTTL|Mark|ReceiveBuffer|SendBuffer|PipeSize|SocketUser|SocketGroup|FileDescriptorName)$/ {
	out($0)
}
