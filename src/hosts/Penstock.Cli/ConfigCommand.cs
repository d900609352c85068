using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Configuration;

namespace Penstock.Cli;

/// <summary><c>penstock config</c>: checks the environment and <c>penstock.json</c> as a start would, and shows what would be in force.</summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        var command = new Command("config", "Check the environment, .env and penstock.json, and show what would be in force. Exit code 2 where anything is wrong.");
        command.SetAction(_ => Run());
        return command;
    }

    private static int Run()
    {
        EnvironmentKeys environment;
        ServiceProvider? services = null;
        try
        {
            environment = Local.ReadEnvironment();
            services = Local.Services(environment).BuildServiceProvider();
            services.GetRequiredService<ConfigFile>().Load();
        }
        catch (ConfigException e)
        {
            services?.Dispose();
            return Local.Refuse("The configuration is not valid", e.Errors);
        }

        using (services)
        {
            Console.WriteLine($"environment  {environment.Platform.ToString().ToLowerInvariant()}");
            Console.WriteLine($"data folder  {Path.GetFullPath(environment.DataFolder)}");
            Console.WriteLine($"openai       {Configured(environment.OpenAiKey, environment.OpenAiBaseUrl)}");
            Console.WriteLine($"anthropic    {Configured(environment.AnthropicKey, environment.AnthropicBaseUrl)}");
            Console.WriteLine($"cost         {(environment.CostTracking ? "tracked" : "not tracked (COST_TRACKING_ENABLED=false)")}");
            Console.WriteLine($"alerts       {services.DescribeAlerts()}");
            Console.WriteLine($"master key   {services.DescribeMasterKey()}");
            foreach (var line in services.DescribeIssuers()) Console.WriteLine($"tokens       {line}");
            foreach (var line in services.DescribeRouting()) Console.WriteLine($"route        {line}");
            foreach (var name in environment.NotYetUsed) Console.WriteLine($"not yet used {name} is set and valid, and nothing in this version reads it");
        }

        return 0;
    }

    private static string Configured(string? key, Uri? url) => key is null && url is null ? "not configured" : $"configured{(url is null ? "" : $" at {url}")}{(key is null ? ", without a key" : "")}";
}
