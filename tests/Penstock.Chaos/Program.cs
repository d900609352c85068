using Penstock.Chaos;

// The same two runners that xunit's generated entry point chooses from, and ours.
return args switch
{
    [Worker.Mark, ..] => await Worker.MainAsync(),
    _ when args.Contains("--server") || args.Contains("--internal-msbuild-node") =>
        await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
    _ => await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args),
};
