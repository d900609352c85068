using System.CommandLine;
using Penstock.Cli;

var root = new RootCommand("Penstock: configuration and the embedded store, from the command line. Run it in the folder the server runs in.")
{
    ConfigCommand.Create(),
    DatabaseCommands.Create(),
    KeysCommand.Create(),
    LedgerCommand.Create(),
    ReportCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
