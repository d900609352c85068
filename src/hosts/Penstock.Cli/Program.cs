using System.CommandLine;
using Penstock.Cli;

var root = new RootCommand("Penstock: configuration, agents, the store and prompt templates, from the command line. Run it in the folder the server runs in.")
{
    AgentsCommand.Create(),
    ConfigCommand.Create(),
    DatabaseCommands.Create(),
    KeysCommand.Create(),
    LedgerCommand.Create(),
    PromptsCommand.Create(),
    ReportCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
