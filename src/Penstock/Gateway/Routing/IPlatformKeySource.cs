namespace Penstock.Gateway.Routing;

/// <summary>Where the platform's own keys at vendors are kept outside of this process. They may change there at any time.</summary>
public interface IPlatformKeySource
{
    /// <summary>What it is, for who operates this server, such as <c>SSM /ai-platform</c>.</summary>
    string Name { get; }

    /// <summary>Keys by vendor; a vendor without one is left out.</summary>
    /// <exception cref="PlatformKeysUnreadableException">It did not answer, or refused to.</exception>
    Task<IReadOnlyDictionary<string, string>> ReadAsync(IReadOnlyList<string> vendors, CancellationToken ct);
}

/// <param name="message">Why, without any key.</param>
public sealed class PlatformKeysUnreadableException(string message, Exception? inner = null) : Exception(message, inner);
