using System.CommandLine;
using Penstock.Agents;

namespace Penstock.Cli;

/// <summary><c>penstock agents</c>: definitions checked as a server would read them. Touches no store and no server.</summary>
internal static class AgentsCommand
{
    private const string UsualFolder = "agents";

    public static Command Create() => new("agents", "Definitions of agents.") { Check() };

    private static Command Check()
    {
        var paths = new Argument<string[]>("files") { Description = "Files, or folders of them.", Arity = ArgumentArity.ZeroOrMore, DefaultValueFactory = _ => [UsualFolder] };
        var command = new Command("check", "Check definitions and tell all errors, each with its line. Exit code 2 where there is one.") { paths };
        command.SetAction(parsed => Run(parsed.GetValue(paths)!));
        return command;
    }

    private static int Run(string[] paths)
    {
        var checks = AgentCheck.Of(paths);
        foreach (var check in checks)
        {
            foreach (var error in check.Errors) Console.Error.WriteLine(error);
            if (check.Agent is { } agent) Console.WriteLine($"ok  {agent}  {check.File}");
        }

        if (checks.Count == 0) Console.Error.WriteLine($"There is no definition in {string.Join(", ", paths)}: no file ends with .yaml, .yml or .json.");
        return checks.Count > 0 && checks.All(check => check.Errors.Count == 0) ? 0 : 2;
    }
}
