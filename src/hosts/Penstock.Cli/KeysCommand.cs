using System.CommandLine;

namespace Penstock.Cli;

/// <summary><c>penstock keys reseal</c>: the second half of a change of the master key. The server must be stopped where it owns the folder.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var reseal = new Command("reseal", "Put every stored provider key under PENSTOCK_MASTER_KEY, opened with that or with one of PENSTOCK_MASTER_KEYS_OLD. Exit code 1 where one does not open.");
        reseal.SetAction((_, ct) => Local.WithStoreAsync(services => ResealAsync(services, ct)));
        return new Command("keys", "Keys.") { reseal };
    }

    private static async Task<int> ResealAsync(IServiceProvider services, CancellationToken ct)
    {
        try
        {
            var (resealed, left) = await services.ResealProviderKeysAsync(ct);
            foreach (var name in left) Console.Error.WriteLine($"Does not open, and stays as it is: {name}");
            Console.WriteLine($"{resealed} provider keys are under the master key of now{(left.Count == 0 ? "; no older one is needed any more." : $"; {left.Count} are not.")}");
            return left.Count == 0 ? 0 : 1;
        }
        catch (Kernel.RefusedException e)
        {
            return Local.Refuse("The provider keys cannot be resealed", [e.Refusal.Message]);
        }
    }
}
