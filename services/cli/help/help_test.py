#!/usr/bin/python3
"""Pages and completions are made of the command line: each command and option of --help is in them, and a
real bash completes by the script."""
import re
import shutil
import subprocess
import unittest

STOKER = "services/cli/stoker"
COMMANDS = ["completion", "doctor", "fmt", "lab", "man", "record", "run", "status", "validate"]


def stoker(*arguments):
    return subprocess.run([STOKER, *arguments], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def options_of(command):
    """The names of the options that --help lists, and the commands it lists."""
    text = stoker(*([command] if command else []), "--help")
    return set(re.findall(r"(?:^  |,)(--?[a-zA-Z][\w.-]*)", text, re.M))


def complete(*words):
    """What bash offers for the last of `words`."""
    script = stoker("completion", "bash") + f"""
COMP_WORDS=({" ".join("'%s'" % w for w in words)}); COMP_CWORD={len(words) - 1}
_stoker
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = subprocess.run(["bash", "--norc", "-euc", script], capture_output=True, text=True,
                            check=False, timeout=60)
    # A script that fails must not pass for one that offers nothing.
    assert result.stderr == "", result.stderr
    return set(result.stdout.split())


class HelpTest(unittest.TestCase):
    """Each command of the list, each option of each."""

    def test_commands_are_all(self):
        offered = complete("stoker", "")
        self.assertEqual({word for word in offered if not word.startswith("-")}, set(COMMANDS))

    def test_bash_offers_every_option(self):
        for command in COMMANDS:
            options = options_of(command)
            self.assertIn("--help", options)
            self.assertLessEqual(options, complete("stoker", command, ""), command)

    def test_bash(self):
        self.assertEqual(complete("stoker", "rec"), {"record"})
        self.assertEqual(complete("stoker", "record", "--du"), {"--duration"})
        self.assertEqual(complete("stoker", "doctor", "--color", "a"), {"auto", "always"})
        # As bash splits --color=n.
        self.assertEqual(complete("stoker", "doctor", "--color", "=", "n"), {"never"})
        self.assertEqual(complete("stoker", "completion", "z"), {"zsh"})
        self.assertEqual(complete("stoker", "run", "--log.level", ""),
                         {"debug", "info", "warn", "error"})
        # Files, which bash completes itself.
        self.assertEqual(complete("stoker", "record", "-o", ""), set())
        # Another program's words.
        self.assertEqual(complete("stoker", "record", "--", "ls", "-"), set())

    def test_zsh_and_fish_name_every_option(self):
        zsh, fish = stoker("completion", "zsh"), stoker("completion", "fish")
        for command in COMMANDS:
            self.assertIn(f"    {command})\n      _arguments", zsh)
            block = zsh.split(f"    {command})\n      _arguments", 1)[1].split(";;", 1)[0]
            lines = "\n".join(line for line in fish.splitlines() if f"from {command}'" in line)
            for option in options_of(command):
                self.assertRegex(block, rf"'{re.escape(option)}=?\[")
                flag = f"-l {option[2:]} " if option.startswith("--") else f"-s {option[1:]} "
                self.assertIn(flag, lines, (command, option))

    def test_man_names_every_option(self):
        for command in [None, *COMMANDS]:
            page = stoker("man", *([command] if command else []))
            self.assertTrue(page.startswith(".TH STOKER"))
            for option in options_of(command):
                self.assertIn(option.replace("-", "\\-"), page, (command, option))
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
                self.assertIn(f"\n.SH {section}\n", page)
            # No machine's own name or folder is in it.
            self.assertNotIn("/tmp/", page)
        main = stoker("man")
        for command in COMMANDS:
            self.assertIn(f".TP\n\\fB{command}\\fR\n", main)

    @unittest.skipUnless(shutil.which("groff"), "no groff")
    def test_man_is_sound_roff(self):
        for command in [[], ["record"], ["run"]]:
            result = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=stoker("man", *command),
                                    capture_output=True, text=True, check=True, timeout=60)
            self.assertNotIn("error", result.stderr)
            # Bold is a letter struck twice.
            self.assertIn("EXIT STATUS", re.sub(".\x08", "", result.stdout))

    def test_no_such_page(self):
        result = subprocess.run([STOKER, "man", "none"], capture_output=True, text=True, check=False,
                                timeout=60)
        self.assertEqual((result.returncode, result.stderr), (2, "stoker: there is no command none\n"))

    def test_exit_statuses_are_documented(self):
        """--help, the page and the reference say the same."""
        shown = dict(re.findall(r"^  (\d+) +(.+)$", stoker("--help").split("Exit status:")[1], re.M))
        with open("docs/reference/exit-status.md", encoding="utf-8") as file:
            documented = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", file.read(), re.M))
        self.assertEqual(shown, documented)
        self.assertEqual(sorted(map(int, shown)), [0, 1, 2, 77, 130])
        for number in shown:
            self.assertIn(f"\\fB{number}\\fR\n", stoker("man").split(".SH EXIT STATUS")[1])


if __name__ == "__main__":
    unittest.main()
